"""The Training Set Maker: redshifts of many surveys on one scale, matched to the objects of a release."""
