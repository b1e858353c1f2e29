"""From a potential and structures to energies, forces, stresses and projections, by the kernels."""
