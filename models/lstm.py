"""skeleton: ResidualLSTM(schema: FeatureSchema, randomness: Randomness, *, ...) name 'residual_lstm'"""
