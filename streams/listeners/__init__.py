"""How records come in besides HTTP: syslog, files. Each gives its records to a source by name and knows no format."""
