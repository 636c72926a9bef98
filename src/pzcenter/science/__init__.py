"""Equations on arrays: photometry, filters, templates, the template fit and its calibration, p(z), packing, metrics.

Functions here take arrays and give arrays. They read no file but the package's own data, change no argument and know
no table. Import what you need from the module that bears its name, such as :mod:`pzcenter.science.photometry`.
"""
