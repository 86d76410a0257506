"""Scoring in machine code: functions of numbers and columns, which know no pool."""
