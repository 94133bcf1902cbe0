"""Content parts of input items, and what every model of the wire is.

Source: CONTRACT of the Responses API, "Content parts".
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from server.wire.problems import custom


class Wire(BaseModel):
    """What every model of the wire is: strict about types, open to fields it does not know."""

    model_config = ConfigDict(extra="allow", strict=True)


class InputText(Wire):
    type: Literal["input_text"]
    text: str


class OutputText(Wire):
    type: Literal["output_text"]
    text: str


class Refusal(Wire):
    type: Literal["refusal"]
    refusal: str


def _image_url(url: str) -> str:
    if not url.startswith(("http://", "https://", "data:image/")):
        raise custom("invalid_value", "Expected a fully qualified URL, or a data URL of an image.")
    return url


def _file_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise custom("invalid_value", "Expected a fully qualified URL; put the file itself into 'file_data'.")
    return url


def _file_id(id: str) -> str:
    if not id.startswith("file"):
        raise custom("invalid_value", f"'{id[:64]}'. Expected an ID that begins with 'file'.")
    return id


FileId = Annotated[str, AfterValidator(_file_id), Field(max_length=256)]
ImageUrl = Annotated[str, AfterValidator(_image_url), Field(max_length=20_971_520)]


def _one_of(part: Wire, *names: str) -> None:
    """Raises unless the part has one of these."""
    given = [name for name in names if getattr(part, name) is not None]
    known = ", ".join(f"'{name}'" for name in names)
    if not given:
        raise custom("missing_required_parameter", f"one of {known} is needed.")
    if len(given) > 1:
        raise custom("mutually_exclusive_parameters", f"only one of {known} can be given.")


class Image(Wire):
    image_url: ImageUrl | None = None
    file_id: FileId | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        _one_of(self, "image_url", "file_id")
        return self


class InputImage(Image):
    type: Literal["input_image"]
    detail: Literal["low", "high", "auto", "original"] | None = None


class InputFile(Wire):
    type: Literal["input_file"]
    file_data: Annotated[str, Field(max_length=73_400_320)] | None = None
    file_id: FileId | None = None
    file_url: Annotated[str, AfterValidator(_file_url), Field(max_length=8192)] | None = None
    filename: Annotated[str, Field(max_length=1024)] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        _one_of(self, "file_id", "file_url", "file_data")
        return self


class AudioData(Wire):
    data: str
    format: Literal["mp3", "wav"]


class InputAudio(Wire):
    type: Literal["input_audio"]
    input_audio: AudioData


Part = Annotated[InputText | OutputText | Refusal | InputImage | InputFile | InputAudio, Field(discriminator="type")]
Content = str | list[Part]
