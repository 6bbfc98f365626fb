"""IntMK Graph: the knowledge graph of German integration-policy conferences and its server."""
