# Runs the program that was built against the installed package, and looks at what it says.
execute_process(COMMAND ${PROGRAM} $ENV{NUROPB_TEST_AMQP_URL} OUTPUT_VARIABLE said RESULT_VARIABLE code)
if(NOT code EQUAL 0 OR NOT said STREQUAL "40 + 2 = 42.0\n")
  message(FATAL_ERROR "exit code ${code}, and it said: ${said}")
endif()
