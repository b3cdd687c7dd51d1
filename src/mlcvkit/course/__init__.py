"""The course kit: hand the homework out, grade it, and check one's own work.

Everything is made from the one reference solution, the installed ``mlcvlab``: the student's tree, and what a submission
is compared with.
"""
