"""One loop, stages as step functions, presets as TOML."""
