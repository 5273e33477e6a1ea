"""
Monte Carlo π: throw darts at a square, and count those inside the circle.

The two atoms are the original's: a spawner, and the toss that it asks for. A toss can be one dart, as there, or a chunk
of millions: an electron costs as much as thousands of darts, so what one of them carries decides how quick it is.
`--chunk 1` shows the one, and leaving it out the other.
"""
