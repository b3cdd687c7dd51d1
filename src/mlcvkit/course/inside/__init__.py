"""The code in a student's process: it turns inputs into outputs and knows no results.

The sandbox sees the files of this folder, which import only NumPy and run as scripts.
"""
