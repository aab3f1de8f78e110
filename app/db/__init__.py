"""Tables, one repository a feature, and the connections to Postgres."""
