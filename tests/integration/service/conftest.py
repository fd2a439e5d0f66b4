import pytest

from support.hand_caller import HandCaller
from support.services import cpp_service


@pytest.fixture(scope="module")
def service(broker_url, module_folder):
    with cpp_service(broker_url, module_folder, key_file=module_folder / "key.pem") as process:
        yield process


@pytest.fixture
def caller(broker_url, service):
    with HandCaller(broker_url, service.service) as made:
        yield made
