from scoring.search.cycle_search import Counters, CycleSearch, Ranked

__all__ = ["Counters", "CycleSearch", "Ranked"]
