"""What a run leaves for people: report.json, plots, and the table at the end."""
