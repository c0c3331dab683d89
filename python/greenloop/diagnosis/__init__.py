"""What a program runs on, for `greenloop.doctor` and `python -m greenloop doctor`.

`facts` gathers it and `loops` looks at event loops; `report` is what users get, as text or as JSON.
Nothing here is imported before somebody asks, and nothing is changed by asking.
"""

from greenloop.diagnosis.report import Report as Report
