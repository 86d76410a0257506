"""skeleton: RiverResidual(schema: FeatureSchema, *, ...) name 'river_residual'"""
