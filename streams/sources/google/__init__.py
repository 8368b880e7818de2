"""Google's clouds: the names of events that Workspace reports and that Cloud Logging repeats."""
