"""The bridge's Python peer: a zygote that imports, and children that run fits and calls."""
