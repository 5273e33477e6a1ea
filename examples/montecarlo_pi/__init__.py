"""Monte Carlo π: throw darts at a square, count those inside the circle. One electron a dart, as in the original."""
