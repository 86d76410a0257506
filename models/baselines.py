"""skeleton: Persistence() name 'persistence'; ExactFormula() name 'exact_formula'"""
