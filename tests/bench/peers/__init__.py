"""The peers: a pinned environment (`<name>.txt`) and a runner each; only `ours` imports Crossfold."""
