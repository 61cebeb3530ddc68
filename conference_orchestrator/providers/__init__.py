"""Where a conference is held: the port to video meeting systems, its adapters, and the suite that each passes."""
