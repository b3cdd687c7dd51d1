"""What runs in a student's process: it turns inputs into outputs, and knows no answers.

The files of this folder are shown to the sandbox, import NumPy alone, and are run as scripts.
"""
