"""
The core: files in the order in which an electron meets them.

supervision → credit → pump → slots → flight → admission → identity → threads → outcome → disposition → report, and for
what is asked here outbound → correlation. Around them: node wires all of it; alarm, broadcast, remember and tasks serve
it; lifecycle and stopping see to its beginning and end.

Atoms that must be killed when their time is up go on from identity to confinement, and from there to children, a pool
of child processes.

A file either decides (admission, correlation, credit, disposition, lifecycle, remember: no loop, no wire) or does.
"""
