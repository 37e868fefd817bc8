"""The story that `make demo` tells: four merchants, a day at the pump, and books that anyone can check."""
