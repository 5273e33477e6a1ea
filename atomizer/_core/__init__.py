"""
The core: files in the order in which an electron meets them.

supervision → credit → pump → slots → flight → admission → identity → threads → disposition → lifecycle → outbound →
correlation → alarm → broadcast. A file either decides (credit, admission, disposition, lifecycle, correlation: no
clock, no wire) or does.
"""
