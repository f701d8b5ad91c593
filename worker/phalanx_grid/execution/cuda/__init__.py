"""Executors for CUDA devices, and what they need.

Each also runs on a CPU if it is made directly (its graphs and streams are then stand-ins that run at once), so that
everything but the device's own part is tested everywhere.
"""
