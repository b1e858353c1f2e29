"""Short examples for the documentation of the configuration; each is checked by a test."""

EXAMPLES = {
    "Top level": """
name: copper
seed: 42
metadata: {comment: first try}
potential: output_potential.yaml      # continue a fit
data: copper.pckl.gzip
runs:                                 # results/copper/short, results/copper/long
  short: {fit.maxiter: 50}
  long: {fit.maxiter: 500, fit.loss.kappa: 0.02}
# or, as all combinations:  sweep: {fit.maxiter: [50, 500], fit.loss.kappa: [0.02, 0.05]}
""",
    "Potential: a constructed basis": """
potential:
  elements: [Al, Ni]
  embeddings:
    ALL: {npot: FinnisSinclairShiftedScaled, fs_parameters: [1, 1, 1, 0.5], ndensity: 2}
  bonds:
    ALL: {radbase: SBessel, radparameters: [5.25], rcut: 6.5, dcut: 0.01}
    AlNi: {rcut: 6.0}                   # also NiAl
  functions:
    number_of_functions_per_element: 300
    UNARY: {nradmax_by_orders: [15, 6, 4, 3], lmax_by_orders: [0, 3, 3, 2]}
    BINARY: {nradmax_by_orders: [15, 6, 3, 2], lmax_by_orders: [0, 3, 2, 1]}
""",
    "Potential: a file": """
potential: {filename: target.yaml, initial_potential: fitted_before.yaml}
""",
    "Potential: the old form for one element": """
potential:
  element: Cu
  npot: FinnisSinclairShiftedScaled
  fs_parameters: [1, 1, 1, 0.5]
  ndensity: 2
  nradmax_by_orders: [15, 3, 2]
  lmax_by_orders: [0, 2, 2]
  rcut: 7
  dcut: 0.01
  radbase: ChebExpCos
  radparameters: [5.25]
""",
    "Data": """
data:
  filename: [bulk.xyz.gz, surfaces.xyz.gz]
  test_size: 0.1
  stratify: true
  reference_energy: {Al: -0.19, Ni: -0.43}
  energy_key: REF_energy
  forces_key: REF_forces
""",
    "Fit": """
fit:
  loss: {kappa: 0.3, L1_coeffs: 1e-8, L2_coeffs: 1e-8}
  optimizer: BFGS
  maxiter: 500
  fit_cycles: 3
  noise_relative_sigma: 0.05
  ladder_step: [20, 0.1]                # 20 functions or 10 % more, whichever is larger
  ladder_type: power_order
  trainable_parameters: {UNARY: func, BINARY: all}
  repulsion: auto
""",
    "Weighting: by energy": """
fit:
  weighting: {type: EnergyBasedWeightingPolicy, DElow: 1.0, DEup: 10.0, DFup: 50.0, wlow: 0.75}
""",
    "Weighting: from a file": """
fit:
  weighting: {type: ExternalWeightingPolicy, filename: weights.pckl.gzip}
""",
    "Backend": """
backend: {display_step: 50}
""",
    "Export": """
export: {e0: references}              # total energies in LAMMPS
""",
    "Active learning": """
active:
  rounds: 3
  most: 20
  explore: {structures: start.xyz, temperatures: [300, 900], pressures: [0, 10]}
  label: {calculator: label.espresso, parameters: {ecutwfc: 40}}
""",
}
