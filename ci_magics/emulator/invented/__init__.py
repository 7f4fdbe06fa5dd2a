"""The customers of the emulated instance, none of them held: each row is drawn when it is asked for."""
