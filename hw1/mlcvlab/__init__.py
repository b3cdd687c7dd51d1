"""mlcvlab: a neural network built from scratch, each formula a few lines of NumPy.

Inside this package a sample is a column: ``x`` is (K, 1), a data set ``X`` is (K, N), targets ``y`` are (1, N).
Every function takes N = 1 and N = 60,000 alike, keeps float32 and float64, turns integers into float64,
and never changes its input.
"""
