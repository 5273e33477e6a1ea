"""
The core: files in the order in which an electron meets them.

supervision → credit → pump → slots → flight → admission → identity → threads → outcome → disposition → report, and for
what is asked here outbound → correlation. Around them: node wires all of it; alarm, broadcast, remember and tasks serve
it; lifecycle and stopping see to its beginning and end.

Atoms that must be killed when their time is up go on from identity to processes, a pool of child processes: launching →
child_process → channel, reaping and death on the runtime's side; framing between them; and in the child process its
program: child → main_module → callee → calling → soft_limit, and lifeline.

A file either decides (admission, correlation, credit, disposition, lifecycle, remember: no loop, no wire) or does.
"""
