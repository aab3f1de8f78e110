"""The service in the foreground: what `bunsen up` starts, watches, starts again and stops."""
