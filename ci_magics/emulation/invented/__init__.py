"""The generated customers of the emulated instance: each row is computed on demand, none is stored."""
