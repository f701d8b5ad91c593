"""What people watch Phalanx with: Grafana dashboard, alert rules, and the pages about them, as generated files."""
