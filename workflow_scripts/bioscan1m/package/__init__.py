"""Images at 256 pixels, packed in HDF5 and zip."""
