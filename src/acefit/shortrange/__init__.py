"""What happens at short distances: ZBL repulsion, synthetic data from it, inner cutoffs, and checks."""
