"""Methods as configuration: every installed estimator is a choice of one field, with its settings below it.

    config.estimator.name = "neighbours"
    config.estimator["neighbours"].n_neighbours = 40

The fields are made from each method's own settings class, which has the last word on every value: a plug-in needs no
file here. A setting that is neither a plain value, a list nor a dictionary is written as YAML text.
"""

from __future__ import annotations

import json
import re
import types
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import lsst.pex.config as pex_config
import yaml
from pydantic import TypeAdapter, ValidationError

from pzcenter.errors import ConfigError, ModelError
from pzcenter.estimators import EstimatorConfig, ModelSet, default_model_set, estimator_names, get_estimator
from pzcenter.estimators.protocol import checked_config

__all__ = [
    "STORED",
    "MethodConfig",
    "MethodModels",
    "StoredModels",
    "StoredModelsConfig",
    "bands_of_text",
    "estimator_registry",
    "method_config",
    "method_registry",
]

STORED = "model"
"""Choice of whatever method the stored models are of."""

_pex: Any = pex_config
_SCALARS = (bool, int, float, str)


class MethodConfig(pex_config.Config):
    """Settings of one method, as fields; a class derived from it is made for each method by :func:`method_config`."""

    method_name: ClassVar[str] = ""
    setting_of: ClassVar[dict[str, str]] = {}

    def method_settings(self) -> EstimatorConfig:
        """Give the same as the method's own settings.

        Raises
        ------
        ConfigError
            A value is refused; the message names it.
        """
        fields = self._fields
        values = {setting: _plain(fields[name], getattr(self, name)) for name, setting in self.setting_of.items()}
        return checked_config(get_estimator(self.method_name).Config, values)

    def validate(self) -> None:
        """Refuse what the method refuses.

        Raises
        ------
        ConfigError
            See :meth:`method_settings`.
        """
        super().validate()  # type: ignore[no-untyped-call]
        self.method_settings()


class StoredModelsConfig(pex_config.Config):
    """No settings: the stored models have their own."""


class StoredModels:
    """Choice ``model``: the models of ``photoz_model_{algo}``, of whatever method."""

    ConfigClass = StoredModelsConfig
    needs_stored: ClassVar[bool] = True

    def __init__(self, config: StoredModelsConfig) -> None:
        self.config = config

    def models(self, stored: ModelSet | None, band_sets: tuple[tuple[str, ...], ...]) -> ModelSet:
        """Give the stored models.

        Raises
        ------
        ModelError
            There are none.
        """
        del band_sets
        return _require(stored, "a method")


class MethodModels:
    """Choice of a method by name.

    Parameters
    ----------
    config : MethodConfig
        Its settings. They make the models of a method that needs no training; a trained model has its own.
    """

    ConfigClass: ClassVar[type[MethodConfig]] = MethodConfig
    method: ClassVar[str] = ""
    needs_stored: ClassVar[bool] = False
    """Whether the models are read, and not made from the settings."""

    def __init__(self, config: MethodConfig) -> None:
        self.config = config

    def models(self, stored: ModelSet | None, band_sets: tuple[tuple[str, ...], ...]) -> ModelSet:
        """Models to estimate with.

        Parameters
        ----------
        stored : ModelSet or None
        band_sets : tuple of tuple of str
            Of the models that are made here.

        Raises
        ------
        ModelError
            The stored models are missing, or of another method.
        BandError
            The method has no model in one of the band sets.
        """
        if not self.needs_stored:
            return default_model_set(self.method, band_sets, config=self.config.method_settings())
        found = _require(stored, self.method)
        if found.method != self.method:
            raise ModelError(f"the stored models are of {found.method!r}, and estimator.name is {self.method!r}")
        return found


def method_config(method: str) -> type[MethodConfig]:
    """Make the configuration class of a method from its settings class.

    Parameters
    ----------
    method : str
        Name of an installed method.

    Returns
    -------
    type of MethodConfig
        One field for each setting, with its default and its range.
    """
    settings = get_estimator(method).Config
    defaults = settings()
    # A setting may have a name that a configuration needs for itself, such as "names".
    setting_of = {f"{name}_" if hasattr(MethodConfig, name) else name: name for name in settings.model_fields}
    fields = {
        name: _field(setting, settings.model_fields[setting], getattr(defaults, setting))
        for name, setting in setting_of.items()
    }
    name = f"{''.join(part.capitalize() for part in re.split('[^a-z0-9]', method))}MethodConfig"
    space = {
        **fields,
        "method_name": method,
        "setting_of": setting_of,
        "__module__": __name__,
        "__qualname__": name,
        "__doc__": f"Settings of the method {method}: {settings.__doc__ or ''}",
    }
    made: type[MethodConfig] = types.new_class(name, (MethodConfig,), exec_body=lambda body: body.update(space))
    # Where pickle looks for it.
    globals()[name] = made
    return made


def bands_of_text(text: str) -> tuple[str, ...]:
    """Bands of a text: ``ugrizy``, or ``g,r,J,Ks`` where a name has several letters.

    Raises
    ------
    ConfigError
        No bands, or one of them twice.
    """
    bands = tuple(part.strip() for part in (text.split(",") if "," in text else text.strip()))
    if not bands or "" in bands or len(set(bands)) != len(bands):
        raise ConfigError(f"bands are given as ugrizy or g,r,J,Ks, each once; got {text!r}")
    return bands


def _require(stored: ModelSet | None, method: str) -> ModelSet:
    if stored is None:
        raise ModelError(f"{method} needs stored models, and there are none")
    return stored


def _field(name: str, info: Any, default: Any) -> Any:
    """Field for a setting; its values are checked by the annotation of the setting."""
    doc = f"{info.title or name}. {info.description or ''}".strip()
    kind, optional = _without_none(info.annotation)
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    if kind in _SCALARS:
        return _pex.Field(dtype=kind, doc=doc, default=default, optional=optional, check=_Check(adapter))
    if get_origin(kind) is Literal and all(isinstance(value, str) for value in get_args(kind)):
        allowed = {value: value for value in get_args(kind)}
        return _pex.ChoiceField(dtype=str, doc=doc, default=default, optional=optional, allowed=allowed)
    items = get_args(kind)
    if get_origin(kind) is tuple and len(items) == 2 and items[0] in _SCALARS and items[1] is ...:
        plain = None if default is None else list(default)
        return _pex.ListField(dtype=items[0], doc=doc, default=plain, optional=optional, listCheck=_Check(adapter))
    if get_origin(kind) is dict and items[0] is str and (item := _scalar(items[1])) is not None:
        return _pex.DictField(
            keytype=str, itemtype=item, doc=doc, default=default, optional=optional, dictCheck=_Check(adapter)
        )
    text = None if default is None else _text(adapter.dump_python(default, mode="json"))
    doc = f"{doc} Written as YAML."
    return _YAML_FIELD(dtype=str, doc=doc, default=text, optional=optional, check=_Check(adapter, is_text=True))


class YamlField(pex_config.Field[str]):
    """A setting of mixed or nested type, written as YAML text."""


_YAML_FIELD: Any = YamlField


class _Check:
    """Whether a settings class accepts a value."""

    def __init__(self, adapter: TypeAdapter[Any], *, is_text: bool = False) -> None:
        self.adapter = adapter
        self.is_text = is_text

    def __call__(self, value: Any) -> bool:
        try:
            self.adapter.validate_python(yaml.safe_load(value) if self.is_text else _as_plain(value))
        except (ValidationError, yaml.YAMLError):
            return False
        return True

    def __deepcopy__(self, memo: dict[int, Any]) -> _Check:
        return self


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Type without ``None``, and whether ``None`` was part of it."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = tuple(kind for kind in get_args(annotation) if kind is not type(None))
        optional = len(kinds) < len(get_args(annotation))
        return (_bare(kinds[0]) if len(kinds) == 1 else annotation), optional
    return _bare(annotation), False


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _scalar(annotation: Any) -> Any:
    kind = _bare(annotation)
    return kind if kind in _SCALARS else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) and yaml.safe_load(value) == value else json.dumps(value)


def _plain(field: Any, value: Any) -> Any:
    if isinstance(field, YamlField) and value is not None:
        return yaml.safe_load(value)
    return _as_plain(value)


def _as_plain(value: Any) -> Any:
    if isinstance(value, pex_config.DictField.DictClass):
        return dict(value)
    if isinstance(value, pex_config.listField.List):
        return tuple(value)
    return value


def _method_choice(method: str) -> type[MethodModels]:
    space = {
        "ConfigClass": method_config(method),
        "method": method,
        "needs_stored": get_estimator(method).needs_training,
        "__module__": __name__,
        "__doc__": f"Choice ``{method}``.",
    }
    return type(f"{method}Models", (MethodModels,), space)


method_registry: Any = _pex.makeRegistry("Installed methods.")
"""Methods alone, for training."""
estimator_registry: Any = _pex.makeRegistry("Installed methods, and the stored models of whatever method.")
"""Methods and :data:`STORED`, for estimates."""
estimator_registry.register(STORED, StoredModels)
for _method in estimator_names():
    _choice = _method_choice(_method)
    method_registry.register(_method, _choice)
    estimator_registry.register(_method, _choice)
