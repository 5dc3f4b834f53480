"""Networks of other programs: each module makes the steps of one program's, `steps` a network of them."""
