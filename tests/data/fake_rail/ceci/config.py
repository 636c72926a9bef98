"""The parameters of a stage, as far as a worker looks at them."""


class StageParameter:
    def __init__(self, dtype=None, default=None, fmt="%s", required=None, msg="A parameter"):
        self.dtype, self.default, self.msg = dtype, default, msg
        self.required = default is None if required is None else required


class StageConfig(dict):
    def __init__(self, **options):
        super().__init__(
            {
                name: option if isinstance(option, StageParameter) else StageParameter(type(option), option)
                for name, option in options.items()
            }
        )
