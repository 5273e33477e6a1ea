"""
What the commands do. `atomizer.cli` says what they are called and which options they take.

A command is imported when it is called, and nothing here knows of click: text goes out by functions handed in, and what
a user can put right is a `Complaint`.
"""
