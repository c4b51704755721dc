"""The paper's experiments: data, networks, and each table and figure a function."""
