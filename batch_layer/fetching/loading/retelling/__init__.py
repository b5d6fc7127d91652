"""What all loads together say of some keys, told anew when it changes whose rows are."""
