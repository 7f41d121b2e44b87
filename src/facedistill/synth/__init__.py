"""People who do not exist: identity, geometry, texture, hair, light, and the picture of them."""
