"""Files, images, tables and threads: what every stage needs, and what knows no job, network or stage."""
