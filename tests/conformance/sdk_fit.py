"""Runs one training job with the SageMaker Python SDK's local mode, without any AWS account or network.

The Python of the test peer runs this with a JSON object as its argument: image, hyperparameters, channels
(name → directory), output (a directory), environment, hosts (how many). What the SDK raises ends it with its own
traceback.
"""

import json
import sys

import boto3
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.local import LocalSession


def main():
    request = json.loads(sys.argv[1])
    session = LocalSession(boto3.Session(region_name="eu-central-1"), default_bucket="unused")
    session.config = {"local": {"local_code": True}}
    estimator = Estimator(
        image_uri=request["image"],
        role="arn:aws:iam::111122223333:role/unused",
        instance_count=request["hosts"],
        instance_type="local",
        sagemaker_session=session,
        output_path=f"file://{request['output']}",
        hyperparameters=request["hyperparameters"],
        environment=request["environment"],
    )
    estimator.fit({name: TrainingInput(f"file://{directory}", content_type="text/csv")
                   for name, directory in request["channels"].items()})
    print("fitted:", estimator.latest_training_job.describe()["TrainingJobStatus"])


main()
