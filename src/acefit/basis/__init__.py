"""From the input section to basis functions, couplings, ladder plan and the compiled form for the kernels."""
