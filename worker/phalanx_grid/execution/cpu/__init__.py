"""What runs on a CPU: students one by one, without padding, dealt to threads."""
