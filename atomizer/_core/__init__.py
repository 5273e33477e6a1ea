"""
The core: files in the order in which an electron meets them.

supervision → credit → pump → slots → flights → admission → turns → identity → threads → outcome → disposition → report
→ answering, and for what is asked here outbound → correlation. An electron of which nothing special is said takes the
straight line through all of that, and one whose asker waits for it is flown at once. Around them: node wires all of
it; alarm, broadcast, remember and tasks serve it; lifecycle and stopping see to its beginning and end.

Atoms that must be killed when their time is up go on from identity to confinement, and from there to children, a pool
of child processes.

A file either decides (admission, correlation, credit, disposition, lifecycle, remember: no loop, no wire) or does.
"""
