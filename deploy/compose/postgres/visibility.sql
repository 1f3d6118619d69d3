-- Run once, when the data folder is made: what Temporal lists workflows by has a database of its own.
CREATE DATABASE temporal_visibility;
