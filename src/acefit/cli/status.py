"""stub"""
def status() -> None:
    """Example: x"""
