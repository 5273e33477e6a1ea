"""
Child processes, for atoms that must be killed when their time is up: files on two sides of a wire.

On the runtime's side: processes, a pool of them → child_process, one of them → launching → channel, its end of the
wire; reaping and death when it has ended. Between them: framing. In the child process: program → answer_line, its end
of the wire → main_module → functions → running → soft_limit and coroutines; surroundings, which it puts in order
between two calls; and lifeline.
"""
